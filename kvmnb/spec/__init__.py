"""What is asked: a guest's description as frozen values. Standard library only."""
