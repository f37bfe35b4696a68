"""The costly process: a second process of the API, which answers the requests that would hold the first one up.

Python runs one thread of a process at a time, so that a request that decodes megabytes of JSON delays all others of
its process. How the two processes exchange requests belongs here; which requests are costly belongs in `service.http`.

Three processes take part, and all end when the first one does:

- the *front* accepts connections, and answers what is cheap;
- the *template* is its fork from before it had threads, and forks the costly process, again whenever that dies;
- the *costly process* has a thread for each request that the front passes to it.

For each request the front makes a socket pair, its *connection*:

1. front to costly process, on the control socket: a byte, with the descriptors of the connection's other end and of a
   file with the body;
2. front to costly process, on the connection: a message of the kind REQUEST;
3. costly process to front: WAIT when it wants to read a table; the front answers with a byte and the descriptor of a
   connection to the sandbox as soon as it is the tenant's turn; then RESUME, which the front answers with a byte;
4. costly process to front: START, the status and the headers; CHUNK for each part of the body; END.

The front closes the connection when the client has the answer; until then the costly process keeps what the request
holds. When the client leaves, the front ends its stream, here and to the sandbox, which stops reading the table. The
turn stays with the request until the costly process begins its answer or closes the connection: a client does not have
more computed at a time by leaving early.
"""
