import type { EndpointAuth, EndpointTls, OAuth2Auth } from '../credentials.ts'
import { basicCredentials } from './endpoint-auth.ts'
import { type Envelope, createEnvelope } from '../secrets/envelope.ts'

/** What an endpoint proves itself with, decrypted. */
export type CachedAuth = { authorization: string } | OAuth2Client

/** Of an endpoint with access tokens. */
export interface OAuth2Client {
  client: OAuth2Auth
  /** As its row has it: another one is another client. */
  sealed: string
  /** The token that its row has, encrypted. */
  stored: string | null
  envelope: Envelope
}

/** A secret whose `sealed` holds something of an endpoint's. */
export interface SealedSecret {
  secret: string | Promise<string>
  sealed: string | null
  token: string | null
}

/** @throws {EngineError} `secret_unreadable`, naming no part of it */
export async function openAuth({ secret, sealed, token }: SealedSecret): Promise<CachedAuth> {
  const envelope = await createEnvelope(await secret)
  // Sealed by us, after it was checked.
  const auth = JSON.parse(await envelope.open('auth', sealed ?? '')) as EndpointAuth
  if (auth.type === 'basic') return { authorization: basicCredentials(auth.username, auth.password) }
  if (auth.type === 'bearer') return { authorization: `Bearer ${auth.token}` }
  return { client: auth, sealed: sealed ?? '', stored: token, envelope }
}

/** @throws {EngineError} `secret_unreadable`, naming no part of it */
export async function openTls({ secret, sealed }: SealedSecret): Promise<EndpointTls> {
  const envelope = await createEnvelope(await secret)
  return JSON.parse(await envelope.open('tls', sealed ?? '')) as EndpointTls
}
