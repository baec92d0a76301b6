"""How many problems and attempts a policy needs, what a budget can decide, and what it costs: by simulation."""
