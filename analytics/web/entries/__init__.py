"""What people enter on the dashboard: small documents in collections of their own, written with the store's usual safety."""
