// Pages that fail, and pages whose database does not answer.
import { createTestEngine } from '@keepsend/testing'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { MOUNT, openDashboard } from './open-dashboard.ts'

const AT = `${MOUNT}/endpoints/w1/ep_1`

type TestEngine = Awaited<ReturnType<typeof createTestEngine>>

/** A dashboard whose engine has these parts instead of its own. */
async function openWith(parts: (engine: TestEngine) => Partial<TestEngine>) {
  const engine = await createTestEngine({ history: true })
  const broken: TestEngine = Object.assign(Object.create(engine), parts(engine))
  return { ...(await openDashboard(undefined, broken)), lines: () => engine.lines }
}

/** A call that is not answered, and a promise of its begin. */
function silent() {
  const begun = Promise.withResolvers<void>()
  const never = (): Promise<never> => {
    begun.resolve()
    return Promise.withResolvers<never>().promise
  }
  return { begun: begun.promise, never }
}

describe('a page that fails', () => {
  it('names a reference that the log has with the error, and nothing of the error', async () => {
    const error = new Error('password hunter2 is wrong')
    const { page, lines } = await openWith(({ endpoints }) => ({
      endpoints: { ...endpoints, get: () => Promise.reject(error) },
    }))
    const { status, html } = await page(`${AT}?a=1`)
    expect(status).toBe(500)
    expect(html).not.toContain('hunter2')
    const reference = /<dd class="mono">([0-9a-f]{8})<\/dd>/.exec(html)?.[1]
    expect(lines().filter(({ level }) => level === 'error')).toEqual([
      {
        level: 'error',
        message: 'a page of the dashboard failed',
        fields: { reference, path: '/endpoints/:workspace/:id', error: error.message, errorName: 'Error' },
      },
    ])
    expect(html).toContain(`class="btn primary" href="${AT}?a=1"`)
  })
})

describe('a page whose database does not answer', () => {
  it.each([
    ['its rows', ({ endpoints }: TestEngine, get: () => Promise<never>) => ({ endpoints: { ...endpoints, get } })],
    [
      'the secret of its forms',
      ({ apiKeys }: TestEngine, deriveSecret: () => Promise<never>) => ({ apiKeys: { ...apiKeys, deriveSecret } }),
    ],
  ])('for %s is given up after five seconds', async (_, parts) => {
    const { begun, never } = silent()
    const { page, lines } = await openWith((engine) => parts(engine, never))
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const answer = page(AT)
    await begun
    await vi.advanceTimersByTimeAsync(5000)
    expect((await answer).status).toBe(500)
    expect(lines().map(({ fields }) => fields['error'])).toEqual(['the database did not answer within 5000 ms'])
  })
})
