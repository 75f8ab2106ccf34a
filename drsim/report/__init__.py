"""Results as people and machines read them: verdicts, tables, pictures, one HTML file, JUnit XML."""
