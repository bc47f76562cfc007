"""`python -m app`: the server, or with arguments the command line."""

import sys

if len(sys.argv) > 1:
    from app.cli.commands import main

    main()
else:
    from app.serving import serve

    serve()
