import { defineEvents, event } from '@keepsend/engine'
import { type TestEngineOptions, createTestEngine } from '@keepsend/testing'

/** More than any test has: a walk that gets there goes round in circles. */
export const MAX_PAGES = 400

export const catalog = defineEvents({
  'message.posted': event({
    schema: { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: value as { id: string } }) } },
    description: 'A message was posted.',
    example: { id: 'm1' },
  }),
})

/** An engine with an endpoint that failed and is paused, a delivery that failed and one that is held, a key and a link. */
export async function filledEngine(options: TestEngineOptions) {
  const engine = await createTestEngine(options)
  engine.receiver.answer([401])
  const { endpoint } = await engine.endpoints.create('w1', { url: 'https://customer.example.com/hooks/in' })
  await engine.apiKeys.create({ workspaceId: 'w1', name: 'backend' })
  await engine.portalLinks.create('w1', { subject: 'mem_9', by: 'dana' })
  await engine.publish({ type: 'message.posted', workspaceId: 'w1', data: { id: 'm1' } })
  await engine.deliverAll()
  await engine.endpoints.pause('w1', endpoint.id, { by: 'dana' })
  await engine.publish({ type: 'message.posted', workspaceId: 'w1', data: { id: 'm2' } })
  return engine
}

/** Follows every link below the mount path, and returns each page. */
export async function followLinks(
  page: (path: string) => Promise<{ status: number; html: string }>,
  mount: string,
): Promise<Map<string, { status: number; html: string }>> {
  const seen = new Map<string, { status: number; html: string }>()
  const next = [mount]
  for (let path = next.pop(); path !== undefined && seen.size < MAX_PAGES; path = next.pop()) {
    // Each page has its own way back to the preferences.
    const known = path.replace(/back=[^&]*/, 'back=')
    if (seen.has(known) || path.includes('/assets/')) continue
    const shown = await page(path)
    seen.set(known, shown)
    for (const [, href = ''] of shown.html.matchAll(/href="([^"#]+)"/g)) {
      const address = href.replaceAll('&amp;', '&')
      if (address.startsWith(mount)) next.push(address)
    }
  }
  return seen
}
