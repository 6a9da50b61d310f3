import type { OAuth2Auth } from '@keepsend/engine'
import { type Receiver, type Request, startReceiver } from './receiver.ts'

export interface TokenServer extends Receiver {
  /** The `auth` of an endpoint that gets its tokens here. */
  auth: OAuth2Auth
}

/** A token server on a free port of 127.0.0.1, for one client. It returns t1, t2 and so on by default. */
export async function startTokenServer(respond?: (request: Request, count: number) => void): Promise<TokenServer> {
  const client = { clientId: 'client one', clientSecret: 's3cret: of/one' }
  // By RFC 6749 each part is form-encoded.
  const expected = `Basic ${btoa('client+one:s3cret%3A+of%2Fone')}`
  const server = await startReceiver((request) => {
    const count = server.requests.length
    if (respond) return respond(request, count)
    const form = new URLSearchParams(request.body)
    const isClient = request.headers.authorization === expected && form.get('grant_type') === 'client_credentials'
    if (!isClient) return request.answer(401, JSON.stringify({ error: 'invalid_client' }))
    request.answer(200, JSON.stringify({ access_token: `t${count}`, token_type: 'Bearer', expires_in: 3600 }))
  })
  return { ...server, auth: { type: 'oauth2', tokenUrl: `${server.url}/token`, ...client } }
}
