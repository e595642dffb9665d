"""Landing: parse, pseudonymise and judge each row, then move whole slices into raw tables."""
