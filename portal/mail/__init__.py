"""Send mails of a brand."""
