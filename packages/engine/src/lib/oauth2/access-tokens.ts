import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, raw, sqlText } from '@keepsend/outbox/internal'
import type { CheckUrl } from '../url-policy/check-url.ts'
import type { EndpointTls } from '../credentials.ts'
import { type Logger, errorFields } from '../logger.ts'
import type { Sender } from '../sender.ts'
import type { OAuth2Client } from '../endpoints/cached-credentials.ts'
import { type NoToken, readTokenAnswer, requestFailed, tokenRequest } from './token-request.ts'

// An access token is in the memory of each process and, encrypted, in the row of its endpoint's `auth`, from which other
// processes read it:
//
//   none, or nearly expired -> requested, one request at a time per process -> stored in memory and in the row
//   refused by the receiver (401) -> deleted from both -> requested for the next attempt
//   `auth` was changed -> another row, and the token in memory no longer matches it

export interface AccessTokenDeps {
  db: OutboxDatabase
  checkUrl: CheckUrl
  monotonic: () => number
  userAgent: string
  logger: Logger
}

/** The endpoint and the attempt that a token is for. */
interface TokenNeed {
  endpointId: string
  oauth2: OAuth2Client
  tls: EndpointTls | undefined
  sender: Sender
  /** The time of the database, in ms. */
  at: number
  /** Bound on the wait for a token; then the attempt fails. */
  deadlineMs: number
}

interface AccessToken {
  kind: 'token'
  value: string
  /** The time of the database from which a new token is requested. */
  refreshAt: number
  expiresAt: number
  /** The encrypted token in the row. */
  stored: string
}

export interface AccessTokens {
  /** A valid token, from memory, from the row or newly requested. Never rejects because of the token server. */
  get(need: TokenNeed): Promise<AccessToken | NoToken>
  /** Discards a token that the receiver refused. */
  refuse(endpointId: string, oauth2: OAuth2Client, token: AccessToken): void
}

/** The token state of an endpoint in this process. */
interface TokenState {
  sealed: string
  token?: AccessToken | undefined
  /** The token that the receiver refused; the row may still have it. */
  refused?: string | undefined
  request?: { answer: Promise<AccessToken | NoToken>; endsAt: number } | undefined
  /** No request before `until`: the token server answered with `Retry-After`. */
  failed?: { why: NoToken; until: number } | undefined
}

const MAX_STATES = 10_000
// A token is replaced in the last tenth of its life, at most a minute before its end: it must not expire on its way.
const LAST_TENTH = 0.1
const LAST_MINUTE_MS = 60_000
// A stored token that expires later than this was written by a wrong clock, and is not used.
const MAX_LIFE_MS = 86_400_000
const MAX_RETRY_AFTER_MS = 3_600_000

export function createAccessTokens({ db, checkUrl, monotonic, userAgent, logger }: AccessTokenDeps): AccessTokens {
  const states = new Map<string, TokenState>()

  function stateOf(endpointId: string, { sealed }: OAuth2Client): TokenState {
    const known = states.get(endpointId)
    if (known?.sealed === sealed) return known
    if (states.size >= MAX_STATES) states.delete(states.keys().next().value ?? '')
    const state: TokenState = { sealed }
    states.set(endpointId, state)
    return state
  }

  /** The token in the row, unless it was refused. One that cannot be decrypted counts as none. */
  async function storedToken({ envelope, stored }: OAuth2Client, state: TokenState): Promise<AccessToken | undefined> {
    if (stored === null) return undefined
    try {
      const [value, refreshAt, expiresAt] = JSON.parse(await envelope.open('token', stored)) as [string, number, number]
      return value === state.refused ? undefined : { kind: 'token', value, refreshAt, expiresAt, stored }
    } catch {
      return undefined
    }
  }

  /** Writes the token without delaying the attempt. `sealed` guards against an `auth` that was changed meanwhile. */
  function store(endpointId: string, sealed: string, token: string | null, condition: SqlText): void {
    db.run(sqlText`
      update keepsend_secrets set token = cast(${token} as text)
      where endpoint_id = ${endpointId} and scheme = 'auth' and sealed = ${sealed} and ${condition}`).catch(
      (error: unknown) => {
        logger.warn(
          { endpointId, ...errorFields(error) },
          'failed to store an access token; this process uses it, others request their own',
        )
      },
    )
  }

  async function request(need: TokenNeed, state: TokenState): Promise<AccessToken | NoToken> {
    const { endpointId, oauth2, tls, sender, at, deadlineMs } = need
    const { client, envelope, sealed } = oauth2
    const check = checkUrl(client.tokenUrl)
    if (!check.ok) {
      return {
        kind: 'failed',
        error: `the URL of the token server: ${check.message} (${check.reason})`,
        timedOut: false,
      }
    }
    const toSend = tokenRequest(client, { url: check.url.href, userAgent, deadlineMs })
    const answer = readTokenAnswer(await sender.send({ ...toSend, ...(tls && { tls }) }), client, at)
    if (answer.kind === 'failed') {
      const { retryAfterMs } = answer
      state.failed = retryAfterMs ? { why: answer, until: at + Math.min(retryAfterMs, MAX_RETRY_AFTER_MS) } : undefined
      return stillValid(state, at) ?? answer
    }
    const { token: value, lifeMs } = answer
    const expiresAt = at + lifeMs
    const refreshAt = expiresAt - Math.min(LAST_MINUTE_MS, lifeMs * LAST_TENTH)
    const stored = await envelope.seal('token', JSON.stringify([value, refreshAt, expiresAt]))
    const token: AccessToken = { kind: 'token', value, refreshAt, expiresAt, stored }
    Object.assign(state, { token, failed: undefined, refused: undefined })
    if (lifeMs > 0) store(endpointId, sealed, stored, raw('1 = 1'))
    return token
  }

  return {
    async get(need) {
      const { endpointId, oauth2, at, deadlineMs } = need
      const state = stateOf(endpointId, oauth2)
      const isFresh = (token: AccessToken | undefined): token is AccessToken =>
        token !== undefined && at < token.refreshAt && token.expiresAt - at <= MAX_LIFE_MS
      if (isFresh(state.token)) return state.token
      const stored = await storedToken(oauth2, state)
      if (isFresh(stored)) return (state.token = stored)
      // Nearly expired: still used if no new one can be had.
      state.token ??= stored
      if (state.failed && at < state.failed.until) {
        return stillValid(state, at) ?? { ...state.failed.why, retryAfterMs: state.failed.until - at }
      }
      const now = monotonic()
      // A request whose Workers invocation was ended never settles: after its deadline it is abandoned.
      if (!state.request || now >= state.request.endsAt) {
        state.request = { answer: request(need, state), endsAt: now + deadlineMs }
        const { answer } = state.request
        const clear = (): void => {
          if (state.request?.answer === answer) state.request = undefined
        }
        answer.then(clear, clear)
      }
      return orTimeout(state.request.answer, deadlineMs)
    },

    refuse(endpointId, oauth2, { value, stored }) {
      const state = states.get(endpointId)
      // An `auth` that was changed meanwhile has its own tokens.
      if (state?.sealed !== oauth2.sealed) return
      if (state.refused === value) return
      state.refused = value
      if (state.token?.value === value) state.token = undefined
      store(endpointId, oauth2.sealed, null, sqlText`token = ${stored}`)
    },
  }
}

function stillValid({ token }: TokenState, at: number): AccessToken | undefined {
  return token && at < token.expiresAt ? token : undefined
}

/** An attempt that joined the request of another has its own deadline. */
function orTimeout(answer: Promise<AccessToken | NoToken>, ms: number): Promise<AccessToken | NoToken> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const timeout = new Promise<NoToken>((resolve) => {
    timer = setTimeout(() => resolve(requestFailed('timeout', `no complete answer within ${ms} ms`)), ms)
  })
  return Promise.race([answer, timeout]).finally(() => clearTimeout(timer))
}
