"""How the agent fares: facts of a running agent, told on loopback, and what follows from them for people."""
