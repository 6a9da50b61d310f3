import { type AccessTokenDeps, createAccessTokens } from '../oauth2/access-tokens.ts'
import type { EndpointTls } from '../credentials.ts'
import type { DeliveryError } from '../error-classes.ts'
import type { Sender } from '../sender.ts'
import type { EndpointSnapshot } from '../endpoints/endpoint-cache.ts'

/** The credentials of one attempt: headers, and the TLS settings of its connection. */
export interface AttemptCredentials {
  kind: 'granted'
  headers: Readonly<Record<string, string>>
  tls?: EndpointTls | undefined
  /** How long it took to get them, in ms. It is subtracted from the attempt's deadline. */
  tookMs: number
  /** Call it after a 401. Undefined if another attempt would have the same credentials. */
  refused?: (() => void) | undefined
}

/** Why there are no credentials. The attempt has failed, and nothing was sent. */
interface NoCredentials {
  kind: 'failed'
  /** Must contain no secret: customers read it. */
  error: DeliveryError
  tookMs: number
  timedOut: boolean
  retryAfterMs?: number | undefined
}

interface CredentialsRequest {
  sender: Sender
  url: URL
  /** The database's time. */
  at: number
  deadlineMs: number
}

/** The credentials of an endpoint that has neither `auth` nor `tls`. */
export const NO_CREDENTIALS: AttemptCredentials = { kind: 'granted', headers: {}, tookMs: 0 }

export type GetAttemptCredentials = (
  endpoint: EndpointSnapshot,
  request: CredentialsRequest,
) => Promise<AttemptCredentials | NoCredentials>

/** @returns a function that rejects with `secret_unreadable` if the endpoint's `auth` or `tls` cannot be decrypted */
export function createAttemptCredentials(deps: AccessTokenDeps): GetAttemptCredentials {
  const tokens = createAccessTokens(deps)
  return async (endpoint, { sender, url, at, deadlineMs }) => {
    const [auth, tls] = await Promise.all([endpoint.auth, endpoint.tls])
    if (tls && sender.supports?.tls !== true)
      return refuse('the sender of this process does not support client certificates and private authorities')
    if (tls && url.protocol !== 'https:') return refuse('the URL does not begin with https://')
    if (!auth) return { ...NO_CREDENTIALS, tls }
    if ('authorization' in auth) return { ...NO_CREDENTIALS, headers: auth, tls }
    const beganAt = deps.monotonic()
    const token = await tokens.get({ endpointId: endpoint.id, oauth2: auth, tls, sender, at, deadlineMs })
    const tookMs = deps.monotonic() - beganAt
    if (token.kind === 'failed') return { ...token, error: `auth: ${token.error}`, tookMs }
    return {
      kind: 'granted',
      headers: { authorization: `Bearer ${token.value}` },
      tls,
      tookMs,
      refused: () => tokens.refuse(endpoint.id, auth, token),
    }
  }
}

function refuse(why: string): NoCredentials {
  return { kind: 'failed', error: `tls: ${why}; nothing was sent`, tookMs: 0, timedOut: false }
}
