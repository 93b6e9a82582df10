"""What leaves the program: pictures that carry their settings, and the grid."""
