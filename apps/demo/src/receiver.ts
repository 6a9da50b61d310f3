// The receiver, as a customer would run it. It verifies with the public `standardwebhooks` library, so that independent code
// checks Keepsend's signatures, and it misbehaves on demand.
import { Hono } from 'hono'
import { Webhook } from 'standardwebhooks'
import { z } from 'zod'
import { Arrivals } from './arrivals.ts'

const behaviourSchema = z.discriminatedUnion('kind', [
  /** Accepts verified webhooks. */
  z.strictObject({ kind: z.literal('ok') }),
  /** Answers with an error, `times` times or until the behaviour changes. */
  z.strictObject({
    kind: z.literal('fail'),
    status: z.int().min(300).max(599).default(500),
    times: z.int().min(1).optional(),
    body: z.string().max(10_000).default('told to fail'),
    retryAfter: z.int().min(0).optional(),
  }),
  /** Accepts the webhook and answers after `ms`, or when the behaviour changes. */
  z.strictObject({ kind: z.literal('stall'), ms: z.int().min(1).optional() }),
  /** Dies at the next request, without a response. */
  z.strictObject({ kind: z.literal('die') }),
])

/** How a hook answers. */
export type Behaviour = z.input<typeof behaviourSchema>

const control = z.strictObject({
  hook: z.string().max(200),
  secret: z.string().max(256).optional(),
  behaviour: behaviourSchema.optional(),
})

export interface ReceiverOptions {
  /** An append-only file of arrivals, read at the start. @default memory only */
  file?: string
  /** Ends the process, for the behaviour `die`. */
  die: () => void
}

/**
 * - `POST /hooks/{hook}`: webhooks
 * - `POST /control` with `{ hook, secret?, behaviour? }`: sets the secret and the behaviour of a hook
 * - `GET /control`: the number of stalled requests of each hook
 * - `GET /arrivals` and `GET /arrivals/{hook}`: the verified webhooks
 */
export function createReceiver({ file, die }: ReceiverOptions): Hono {
  const arrivals = new Arrivals(file)
  const hooks = new Map<string, Hook>()
  const hookOf = (name: string): Hook => {
    const hook = hooks.get(name) ?? { behaviour: { kind: 'ok' }, failed: 0, held: new Set() }
    hooks.set(name, hook)
    return hook
  }
  const app = new Hono()

  app.post('/hooks/:hook', async (c) => {
    const name = c.req.param('hook')
    const hook = hookOf(name)
    const verified = verify(hook.secret, await c.req.text(), c.req.header())
    if (!verified) {
      arrivals.refuse(name)
      return c.text('the signature does not match', 401)
    }
    const now = hook.behaviour
    if (now.kind === 'die') {
      die()
      return c.text('dying', 500)
    }
    if (now.kind === 'fail' && (now.times === undefined || hook.failed < now.times)) {
      hook.failed++
      return c.text(
        now.body,
        now.status as 500,
        now.retryAfter === undefined ? {} : { 'retry-after': `${now.retryAfter}` },
      )
    }
    arrivals.add({ hook: name, id: c.req.header('webhook-id') ?? '', type: verified.type })
    if (now.kind === 'stall') await hold(hook, now.ms, c.req.raw.signal)
    return c.body(null, 204)
  })

  app.post('/control', async (c) => {
    const input = control.safeParse(await c.req.json().catch(() => undefined))
    if (!input.success) return c.text(z.prettifyError(input.error), 400)
    const { hook: name, secret, behaviour } = input.data
    const hook = hookOf(name)
    if (secret !== undefined) hook.secret = secret
    if (behaviour !== undefined) {
      Object.assign(hook, { behaviour, failed: 0 })
      for (const release of hook.held) release()
    }
    return c.json({ ok: true })
  })

  app.get('/control', (c) =>
    c.json(Object.fromEntries([...hooks].map(([name, { held }]) => [name, { held: held.size }]))),
  )
  app.get('/arrivals', (c) => c.json(arrivals.summary()))
  app.get('/arrivals/:hook', (c) => c.json(arrivals.ofHook(c.req.param('hook'))))
  app.get('/health', (c) => c.json({ status: 'ok' }))
  return app
}

interface Hook {
  secret?: string
  behaviour: z.infer<typeof behaviourSchema>
  /** Failures since the behaviour was set. */
  failed: number
  /** Each answers one stalled request. */
  held: Set<() => void>
}

function verify(
  secret: string | undefined,
  body: string,
  headers: Record<string, string>,
): { type: string } | undefined {
  if (secret === undefined) return undefined
  try {
    return new Webhook(secret).verify(body, headers) as { type: string }
  } catch {
    return undefined
  }
}

/** Waits for `ms`, until the behaviour changes, or until the sender aborts. */
async function hold(hook: Hook, ms: number | undefined, sender: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const release = (): void => {
      clearTimeout(timer)
      hook.held.delete(release)
      resolve()
    }
    const timer = ms === undefined ? undefined : setTimeout(release, ms)
    sender.addEventListener('abort', release, { once: true })
    hook.held.add(release)
  })
}
