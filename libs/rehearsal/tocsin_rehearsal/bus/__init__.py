"""A model of NATS JetStream in memory and virtual time: the broker, and each replica's side of it."""
