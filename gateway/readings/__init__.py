"""What a machine said, before anybody signs it: reading, mapping, frame, SenML. Protocol chapter 6."""
