import { type AccessTokenDeps, createAccessTokens } from '../oauth2/access-tokens.ts'
import type { EndpointTls } from '../credentials.ts'
import type { DeliveryError } from '../error-classes.ts'
import type { Sender } from '../sender.ts'
import type { EndpointSnapshot } from '../endpoints/endpoint-cache.ts'

/** What one attempt proves itself with. */
export interface AttemptCredentials {
  kind: 'granted'
  headers: Readonly<Record<string, string>>
  tls?: EndpointTls | undefined
  /** How long it took, in ms: so much of the attempt's deadline is gone. */
  tookMs: number
  /** To be told of a 401; there where another attempt would prove itself anew. */
  refused?: (() => void) | undefined
}

/** Why there is nothing to send with; the attempt has failed, and nothing was sent. */
interface NoCredentials {
  kind: 'failed'
  /** Without secrets: customers read it. */
  error: DeliveryError
  tookMs: number
  timedOut: boolean
  retryAfterMs?: number | undefined
}

/** What is asked for once an attempt is about to be made. */
interface CredentialsRequest {
  sender: Sender
  url: URL
  /** The database's time. */
  at: number
  deadlineMs: number
}

/** Of endpoints that have neither `auth` nor `tls`: nothing is looked at, and nothing waited for. */
export const NO_CREDENTIALS: AttemptCredentials = { kind: 'granted', headers: {}, tookMs: 0 }

export type GetAttemptCredentials = (
  target: EndpointSnapshot,
  wish: CredentialsRequest,
) => Promise<AttemptCredentials | NoCredentials>

/** @returns what rejects with `secret_unreadable` where the endpoint's `auth` or `tls` cannot be decrypted */
export function createAttemptCredentials(deps: AccessTokenDeps): GetAttemptCredentials {
  const tokens = createAccessTokens(deps)
  return async (target, { sender, url, at, deadlineMs }) => {
    const [auth, tls] = await Promise.all([target.auth, target.tls])
    if (tls && sender.supports?.tls !== true)
      return refuse('the sender of this process has no client certificates and no private authorities')
    if (tls && url.protocol !== 'https:') return refuse('the URL does not begin with https://')
    if (!auth) return { ...NO_CREDENTIALS, tls }
    if ('authorization' in auth) return { ...NO_CREDENTIALS, headers: auth, tls }
    const beganAt = deps.monotonic()
    const token = await tokens.get({ endpointId: target.id, oauth2: auth, tls, sender, at, deadlineMs })
    const tookMs = deps.monotonic() - beganAt
    if (token.kind === 'failed') return { ...token, error: `auth: ${token.error}`, tookMs }
    return {
      kind: 'granted',
      headers: { authorization: `Bearer ${token.value}` },
      tls,
      tookMs,
      refused: () => tokens.refuse(target.id, auth, token),
    }
  }
}

function refuse(why: string): NoCredentials {
  return { kind: 'failed', error: `tls: ${why}; nothing was sent`, tookMs: 0, timedOut: false }
}
