"""What each word of the three texts means: its sentence, its default, its place in the manual."""
