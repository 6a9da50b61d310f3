// Every button of every form that changes something, without JavaScript.
import { afterAll, expect, it } from 'vitest'
import { ACTIONS } from '../../packages/dashboard/src/lib/operator/pages.ts'
import { launchChromium } from './chromium.ts'
import { fill, formsOf, submit } from './forms.ts'
import { MOUNT, OPERATOR, openInstallation, writeStoryFile } from './installation.ts'
import { walk } from './site.ts'
import { openWindow } from './visitor.ts'

const PREFERENCES = '/preferences'
// Only a delivery that is not settled is retried.
const QUERIES: Readonly<Record<string, string>> = { '/deliveries do=retry-now': '?status=pending' }
const PATHS = [PREFERENCES, ...ACTIONS.map(({ path }) => path)]

const story = await writeStoryFile()
const browser = await launchChromium()
const first = await openInstallation(story)
const forms = formsOf(await walk(first.url), MOUNT, PATHS)
await first.stop()

afterAll(async () => {
  await browser.close()
  story.remove()
})

it('a form of a page leads to each action of the list', () => {
  const reached = new Set(forms.map(({ key }) => key.split(' ')[0]))
  expect(PATHS.filter((path) => !reached.has(path))).toEqual([])
})

it.each(forms)(
  '$key is done without JavaScript, by a button of $page.pattern',
  async ({ key, page: found, form, button }) => {
    const installation = await openInstallation(story)
    try {
      const { page, faults } = await openWindow(browser, { javaScriptEnabled: false })
      // A replay of the same endpoint, which has not ended, is in the way of another.
      if (key === '/replays') await endReplays(installation)
      await page.goto(installation.url + found.path + (QUERIES[key] ?? ''))
      await fill(page.locator(form).first(), { workspace: 'acme-freight', url: `${story.receivers.url}/new` })
      const before = await actionsOf(installation)
      const { sent, shown } = await submit(page, page.locator(button).first())
      expect({ isSent: sent === 303 || sent === 200, shown, faults: faults() }).toEqual({
        isSent: true,
        shown: 200,
        faults: [],
      })
      expect(await page.locator('.note.bad[role=alert]').count()).toBe(0)
      // Preferences are a cookie, and a question changes nothing; all else is recorded with the name of the operator.
      const recorded = (await actionsOf(installation)).length - before.length
      const stored = (await page.context().cookies()).length
      expect({ recorded, isStored: stored > 0 }).toEqual(
        key.startsWith(PREFERENCES)
          ? { recorded: 0, isStored: true }
          : { recorded: key.includes(' do=ask-') ? 0 : 1, isStored: false },
      )
    } finally {
      await installation.stop()
    }
  },
)

async function endReplays({ engine }: Awaited<ReturnType<typeof openInstallation>>): Promise<void> {
  for (const { id: workspaceId } of await engine.workspaces.list({ limit: 100 })) {
    const { rows } = await engine.replays.list(workspaceId, { limit: 100 })
    for (const { id } of rows.filter(({ endedAt }) => endedAt === null))
      await engine.replays.cancel(workspaceId, id, { by: 'another' })
  }
}

async function actionsOf({ engine }: Awaited<ReturnType<typeof openInstallation>>): Promise<string[]> {
  const workspaces = await engine.workspaces.list({ limit: 100 })
  const pages = await Promise.all(workspaces.map(({ id }) => engine.audit.list(id, { limit: 1000 })))
  return pages.flatMap(({ rows }) => rows.filter(({ by }) => by === OPERATOR.name).map(({ verb }) => verb))
}
