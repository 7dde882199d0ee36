"""The rules that hold for every request: context, conditions, locks, room, and the way a body comes in."""
