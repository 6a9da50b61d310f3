import type { EndpointAuth, EndpointTls, OAuth2Auth } from '../credentials.ts'
import { basicCredentials } from './endpoint-auth.ts'
import { type Envelope, createEnvelope } from '../secrets/envelope.ts'

/** The decrypted credentials of an endpoint. */
export type CachedAuth = { authorization: string } | OAuth2Client

/** An endpoint whose `auth` is `oauth2`. */
export interface OAuth2Client {
  client: OAuth2Auth
  /** The encrypted `auth` of the row: a different text means a different client. */
  sealed: string
  /** The encrypted token of the row. */
  stored: string | null
  envelope: Envelope
}

/** The key of an envelope, with the credentials in it. */
export interface SealedSecret {
  secret: string | Promise<string>
  sealed: string | null
  token: string | null
}

/** @throws {EngineError} `secret_unreadable`, quoting nothing of the credentials */
export async function openAuth({ secret, sealed, token }: SealedSecret): Promise<CachedAuth> {
  const envelope = await createEnvelope(await secret)
  // Not validated again: it was, before it was sealed.
  const auth = JSON.parse(await envelope.open('auth', sealed ?? '')) as EndpointAuth
  if (auth.type === 'basic') return { authorization: basicCredentials(auth.username, auth.password) }
  if (auth.type === 'bearer') return { authorization: `Bearer ${auth.token}` }
  return { client: auth, sealed: sealed ?? '', stored: token, envelope }
}

/** @throws {EngineError} `secret_unreadable`, quoting nothing of the credentials */
export async function openTls({ secret, sealed }: SealedSecret): Promise<EndpointTls> {
  const envelope = await createEnvelope(await secret)
  return JSON.parse(await envelope.open('tls', sealed ?? '')) as EndpointTls
}
