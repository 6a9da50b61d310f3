import { expect, it } from 'vitest'
import { expectStory, startDev } from './dev-process.ts'

const PATIENCE_MS = 240_000

it(
  'pnpm dev:cloudflare prints its links first, shows a story that goes on, and ends without a trace',
  { timeout: 2 * PATIENCE_MS },
  async () => {
    const dev = await startDev('dev-cloudflare.ts', PATIENCE_MS)
    expect(dev.links.map(([name]) => name)).toEqual(["Operator's dashboard", "Customer's portal"])

    expectStory(await dev.walkDashboard())
    const portal = await dev.openPortal()
    expect([portal.status, portal.html.includes('bluebird-inbox')]).toEqual([200, true])

    const before = await dev.verified('juniper-audit')
    await expect.poll(() => dev.verified('juniper-audit'), { timeout: PATIENCE_MS }).toBeGreaterThan(before + 2)

    expect(await dev.interrupt()).toBe(0)
    expect(dev.complaints()).toBe('')
  },
)
