"""Two profiles side by side: paired changes and the problems that were won and lost."""
