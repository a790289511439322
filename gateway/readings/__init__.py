"""What a machine said, before anybody signs it: reading, mapping, frame, SenML. Chapter 6."""
