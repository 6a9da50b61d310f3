// Every button of every form that changes something, without JavaScript.
import { afterAll, expect, it } from 'vitest'
import { ACTIONS } from '../../packages/dashboard/src/lib/operator/pages.ts'
import { launchChromium } from './chromium.ts'
import { fill, formsOf, submit } from './forms.ts'
import { MOUNT, OPERATOR, openInstallation, writeStoryFile } from './installation.ts'
import { walk } from './site.ts'
import { openWindow } from './visitor.ts'

const PREFERENCES = '/preferences'
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
      await page.goto(installation.url + found.path)
      await fill(page.locator(form).first(), { workspace: 'acme-freight', url: `${story.receivers.url}/new` })
      const before = await actionsOf(installation)
      const { sent, shown } = await submit(page, page.locator(button).first())
      expect({ isSent: sent === 303 || sent === 200, shown, faults: faults() }).toEqual({
        isSent: true,
        shown: 200,
        faults: [],
      })
      expect(await page.locator('.note.bad[role=alert]').count()).toBe(0)
      // Preferences are a cookie; all else is recorded with the name of the operator.
      const recorded = (await actionsOf(installation)).length - before.length
      const stored = (await page.context().cookies()).length
      expect({ recorded, isStored: stored > 0 }).toEqual(
        key.startsWith(PREFERENCES) ? { recorded: 0, isStored: true } : { recorded: 1, isStored: false },
      )
    } finally {
      await installation.stop()
    }
  },
)

async function actionsOf({ engine }: Awaited<ReturnType<typeof openInstallation>>): Promise<string[]> {
  const workspaces = await engine.workspaces.list({ limit: 100 })
  const pages = await Promise.all(workspaces.map(({ id }) => engine.audit.list(id, { limit: 1000 })))
  return pages.flatMap(({ rows }) => rows.filter(({ by }) => by === OPERATOR.name).map(({ verb }) => verb))
}
