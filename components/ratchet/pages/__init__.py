"""What people read: the look that all pages share, their charts, and how text from elsewhere is shown."""
