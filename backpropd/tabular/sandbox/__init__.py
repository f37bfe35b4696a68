"""The sandbox, in which uploaded files are parsed within limits of memory and time. File formats do not belong here.

Four processes take part, and all end when the first one does:

- the *client*, a process of the API (`client`), starts one server and keeps a control socket to it;
- the *server* (`server`) has imported everything and forks; it always has a supervisor ready for the next file;
- a *supervisor* per file forks a parser, and kills it when its time is up or the client leaves;
- a *parser* per file limits its own memory and CPU time, reads the file and ends. One that may lack memory is followed
  by one without threads.

For each file the client makes a socket pair, its *connection*:

1. client to server, on the control socket: one byte with the file descriptor of the connection's other end;
2. server to supervisor: one byte with the same descriptor;
3. supervisor to client, on the connection: an empty line, once it runs;
4. client to supervisor: the request, a line of JSON; the end of the stream cancels it;
5. supervisor to parser: the request;
6. parser to supervisor, and supervisor to client: the answer, a line of JSON.
"""
