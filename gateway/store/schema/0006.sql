-- A group's membership is folded from the kinds that say who is who; they are found among all others.

CREATE INDEX records_of_membership ON records (place) WHERE kind <= 3;
