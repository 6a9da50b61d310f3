/** Explains an error of a delivery to the person who has to fix it. */
export interface ErrorExplanation {
  /** One sentence: the error. */
  happened: string
  /** One sentence: the most likely fix. */
  fix: string
}

/** Statuses with an explanation of their own; all others have that of their class. */
export const HTTP_EXPLANATIONS: Readonly<Record<number, ErrorExplanation>> = {
  400: {
    happened: 'The receiver could not read the request (400).',
    fix: 'Check that it verifies and parses the raw bytes of the body, and uses the right secret.',
  },
  401: {
    happened: 'The receiver did not accept the credentials (401).',
    fix: 'Check the signing secret that it verifies with, and the auth and headers of the endpoint.',
  },
  403: {
    happened: 'The receiver, or a firewall in front of it, forbids the request (403).',
    fix: 'Allow the sender in the firewall, and check the auth and headers of the endpoint.',
  },
  404: {
    happened: 'The receiver has nothing at this path (404).',
    fix: 'Check the path in the URL of the endpoint, and that the receiver is deployed.',
  },
  405: {
    happened: 'The receiver accepts no POST at this path (405).',
    fix: 'Check the URL of the endpoint; webhooks are sent by POST.',
  },
  407: {
    happened: 'A proxy in front of the receiver requires credentials (407).',
    fix: 'Let the sender reach the receiver without that proxy.',
  },
  408: {
    happened: 'The receiver timed out while it waited for the request (408).',
    fix: 'Check its load and its time-outs.',
  },
  409: {
    happened: 'The receiver says that the event conflicts with its state (409).',
    fix: 'If it has the event already, let it answer 200 to a repeat; if it wants a retry, let it send Retry-After.',
  },
  410: {
    happened: 'The receiver says that the endpoint is gone permanently (410), so the endpoint was disabled.',
    fix: 'Delete the endpoint, or enable it once the receiver is back.',
  },
  413: {
    happened: 'The body is larger than the receiver accepts (413).',
    fix: 'Raise the limit of the receiver to 256 KiB plus headers, and replay the delivery.',
  },
  415: {
    happened: 'The receiver does not accept the content type of the request (415).',
    fix: 'Let it accept application/json, or the content type of the raw body of the event.',
  },
  421: {
    happened: 'The server that answered is not responsible for this host (421).',
    fix: 'Check the virtual hosts and the TLS configuration of the receiver.',
  },
  422: {
    happened: 'The receiver does not accept the content of the event (422).',
    fix: 'Compare the payload of the event with the format that the receiver expects.',
  },
  425: {
    happened: 'The receiver is not ready to process the request yet (425).',
    fix: 'Nothing, if it is rare; otherwise check why its TLS configuration treats the request as early data.',
  },
  429: {
    happened: 'The receiver has received too many requests (429), so the endpoint was paused.',
    fix: 'Nothing, if it is rare; otherwise give the endpoint a rate limit.',
  },
  502: {
    happened: 'A proxy got no valid answer from the receiver behind it (502).',
    fix: 'Check that the receiver behind the proxy runs.',
  },
  503: {
    happened: 'The receiver is overloaded or out of service (503).',
    fix: 'Check its load, or give the endpoint a rate limit.',
  },
  504: {
    happened: 'A proxy waited too long for the receiver behind it (504).',
    fix: 'Answer as soon as the event is stored, and process it afterwards.',
  },
}
