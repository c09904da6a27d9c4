"""What the notebooks show, where it is longer than a cell: problems and pictures."""
