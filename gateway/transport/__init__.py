"""Bare connections, without our nouns: MQTT and serial lines."""
