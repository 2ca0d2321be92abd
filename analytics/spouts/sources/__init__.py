"""Where game logs are read from. Every source cuts its bytes into chunks of whole lines and hands them on."""
