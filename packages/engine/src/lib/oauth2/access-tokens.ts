import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, raw, sqlText } from '@keepsend/outbox/internal'
import type { CheckUrl } from '../url-policy/check-url.ts'
import type { EndpointTls } from '../credentials.ts'
import { type Logger, errorFields } from '../logger.ts'
import type { Sender } from '../sender.ts'
import type { OAuth2Client } from '../endpoints/cached-credentials.ts'
import { type NoToken, readTokenAnswer, requestFailed, tokenRequest } from './token-request.ts'

// An access token lives in the memory of each process and, encrypted, in the row of its endpoint's `auth`, from where the
// other processes take it:
//
//   none or nearly expired -> requested, once at a time in a process -> in memory and in the row
//   refused by the receiver (401) -> out of both -> requested for the next attempt
//   another `auth` -> the row is another, and so is what the memory is compared with

export interface AccessTokenDeps {
  db: OutboxDatabase
  checkUrl: CheckUrl
  monotonic: () => number
  userAgent: string
  logger: Logger
}

/** What a token is asked for with. */
interface TokenWish {
  endpointId: string
  oauth2: OAuth2Client
  tls: EndpointTls | undefined
  sender: Sender
  /** The database's time. */
  at: number
  /** Until there is a token, or the attempt has failed. */
  deadlineMs: number
}

interface AccessToken {
  kind: 'token'
  value: string
  /** From then on another is requested, by the database's time. */
  refreshAt: number
  expiresAt: number
  /** As the row has it. */
  stored: string
}

export interface AccessTokens {
  /** The token that is valid, or a new one. Never rejects for the token server's sake. */
  get(wish: TokenWish): Promise<AccessToken | NoToken>
  /** The receiver refused it: it is used no more. */
  refuse(endpointId: string, oauth2: OAuth2Client, token: AccessToken): void
}

/** What a process knows of an endpoint's tokens. */
interface Held {
  sealed: string
  token?: AccessToken | undefined
  /** What the receiver refused; the row may have it still. */
  refused?: string | undefined
  request?: { answer: Promise<AccessToken | NoToken>; endsAt: number } | undefined
  /** The token server wants no request before. */
  failed?: { why: NoToken; until: number } | undefined
}

const MAX_HELD = 10_000
// A token is replaced in the last tenth of its life, and the last minute at most: it may not expire on its way.
const LAST_TENTH = 0.1
const LAST_MINUTE_MS = 60_000
// What no honest clock has written.
const MAX_LIFE_MS = 86_400_000
const MAX_SILENCE_MS = 3_600_000

export function createAccessTokens({ db, checkUrl, monotonic, userAgent, logger }: AccessTokenDeps): AccessTokens {
  const held = new Map<string, Held>()

  function heldOf(endpointId: string, { sealed }: OAuth2Client): Held {
    const known = held.get(endpointId)
    if (known?.sealed === sealed) return known
    if (held.size >= MAX_HELD) held.delete(held.keys().next().value ?? '')
    const made: Held = { sealed }
    held.set(endpointId, made)
    return made
  }

  /** Of the row, unless it is the one that was refused. One that cannot be read is as good as none. */
  async function storedToken({ envelope, stored }: OAuth2Client, mine: Held): Promise<AccessToken | undefined> {
    if (stored === null) return undefined
    try {
      const [value, refreshAt, expiresAt] = JSON.parse(await envelope.open('token', stored)) as [string, number, number]
      return value === mine.refused ? undefined : { kind: 'token', value, refreshAt, expiresAt, stored }
    } catch {
      return undefined
    }
  }

  /** Beside the attempt, which does not wait for it. Another `auth` meanwhile has a token of its own. */
  function store(endpointId: string, sealed: string, token: string | null, condition: SqlText): void {
    db.run(sqlText`
      update keepsend_secrets set token = cast(${token} as text)
      where endpoint_id = ${endpointId} and scheme = 'auth' and sealed = ${sealed} and ${condition}`).catch(
      (error: unknown) => {
        logger.warn(
          { endpointId, ...errorFields(error) },
          'an access token could not be stored; this process goes on with it',
        )
      },
    )
  }

  async function request(wish: TokenWish, mine: Held): Promise<AccessToken | NoToken> {
    const { endpointId, oauth2, tls, sender, at, deadlineMs } = wish
    const { client, envelope, sealed } = oauth2
    const check = checkUrl(client.tokenUrl)
    if (!check.ok) {
      return {
        kind: 'failed',
        error: `the URL of the token server: ${check.message} (${check.reason})`,
        timedOut: false,
      }
    }
    const asked = tokenRequest(client, { url: check.url.href, userAgent, deadlineMs })
    const answer = readTokenAnswer(await sender.send({ ...asked, ...(tls && { tls }) }), client, at)
    if (answer.kind === 'failed') {
      const { retryAfterMs } = answer
      mine.failed = retryAfterMs ? { why: answer, until: at + Math.min(retryAfterMs, MAX_SILENCE_MS) } : undefined
      return stillValid(mine, at) ?? answer
    }
    const { token: value, lifeMs } = answer
    const expiresAt = at + lifeMs
    const refreshAt = expiresAt - Math.min(LAST_MINUTE_MS, lifeMs * LAST_TENTH)
    const stored = await envelope.seal('token', JSON.stringify([value, refreshAt, expiresAt]))
    const token: AccessToken = { kind: 'token', value, refreshAt, expiresAt, stored }
    Object.assign(mine, { token, failed: undefined, refused: undefined })
    if (lifeMs > 0) store(endpointId, sealed, stored, raw('1 = 1'))
    return token
  }

  return {
    async get(wish) {
      const { endpointId, oauth2, at, deadlineMs } = wish
      const mine = heldOf(endpointId, oauth2)
      const isFresh = (token: AccessToken | undefined): token is AccessToken =>
        token !== undefined && at < token.refreshAt && token.expiresAt - at <= MAX_LIFE_MS
      if (isFresh(mine.token)) return mine.token
      const stored = await storedToken(oauth2, mine)
      if (isFresh(stored)) return (mine.token = stored)
      // Nearly expired, and good enough where there is no other.
      mine.token ??= stored
      // Nearly expired, and good enough where there is no other.
      mine.token ??= stored
      if (mine.failed && at < mine.failed.until) {
        return stillValid(mine, at) ?? { ...mine.failed.why, retryAfterMs: mine.failed.until - at }
      }
      const now = monotonic()
      // Of a request whose invocation of a Worker was ended in the middle nothing comes any more.
      if (!mine.request || now >= mine.request.endsAt) {
        mine.request = { answer: request(wish, mine), endsAt: now + deadlineMs }
        const { answer } = mine.request
        const forget = (): void => {
          if (mine.request?.answer === answer) mine.request = undefined
        }
        answer.then(forget, forget)
      }
      return orLate(mine.request.answer, deadlineMs)
    },

    refuse(endpointId, oauth2, { value, stored }) {
      const mine = held.get(endpointId)
      // Another `auth` by now has tokens of its own.
      if (mine?.sealed !== oauth2.sealed) return
      if (mine.refused === value) return
      if (mine.refused === value) return
      mine.refused = value
      if (mine.token?.value === value) mine.token = undefined
      store(endpointId, oauth2.sealed, null, sqlText`token = ${stored}`)
    },
  }
}

function stillValid({ token }: Held, at: number): AccessToken | undefined {
  return token && at < token.expiresAt ? token : undefined
}

/** Whoever joined a request has a deadline of its own. */
function orLate(answer: Promise<AccessToken | NoToken>, ms: number): Promise<AccessToken | NoToken> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<NoToken>((resolve) => {
    timer = setTimeout(() => resolve(requestFailed('timeout', `no complete answer within ${ms} ms`)), ms)
  })
  return Promise.race([answer, late]).finally(() => clearTimeout(timer))
}
