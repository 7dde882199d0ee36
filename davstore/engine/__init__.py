"""The rules that hold for every request: decision, conditions, locks, room, receiving, writer and effects."""
