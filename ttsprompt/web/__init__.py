"""HTTP in and out: routes, bodies, authentication, problem+json."""
