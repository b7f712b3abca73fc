"""What do I have? Photos, their table, their splits."""
