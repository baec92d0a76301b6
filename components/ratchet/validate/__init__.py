"""Is a problem file fit to learn from and to measure with?"""
