"""What the suite needs of the operating system: locks between processes, files, ports, facts about processes."""
