"""What does the model know, and how sure can I be? Scores, calibration, explanations, pictures."""
