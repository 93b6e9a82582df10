"""What is in the files of a checkpoint, read without loading them."""
