"""What is ready, and what is counted."""
