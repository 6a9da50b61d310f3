import type { Locator, Page } from 'playwright-core'
import { type FoundPage, patternOf } from './site.ts'

/** A button of a form that changes something. */
export interface FoundForm {
  /** The path of its action among the given ones, and the name and value of the button. */
  key: string
  page: FoundPage
  /** Selectors of the form and of the button. */
  form: string
  button: string
}

/**
 * The buttons of every form of these pages that is sent by POST: the first of each action and value.
 *
 * @param actions the paths of the actions, in their order
 */
export function formsOf(pages: readonly FoundPage[], mount: string, actions: readonly string[]): FoundForm[] {
  const found = new Map<string, FoundForm>()
  for (const page of pages) {
    for (const [, attributes = '', inside = ''] of page.html.matchAll(/<form([^>]*)>(.*?)<\/form>/gs)) {
      const action = /action="([^"]*)"/.exec(attributes)?.[1]
      if (!attributes.includes('method="post"') || action === undefined) continue
      const id = /id="([^"]*)"/.exec(attributes)?.[1]
      const outside = id === undefined ? [] : buttonsIn(page.html).filter((tag) => tag.includes(` form="${id}"`))
      const form = id === undefined ? `form[method="post"][action="${action}"]` : `form#${id}`
      for (const tag of [...buttonsIn(inside), ...outside]) {
        const [, name, value] = /name="([^"]*)" value="([^"]*)"/.exec(tag) ?? []
        const path = patternOf(action.slice(mount.length), actions) ?? action
        const key = name === undefined ? path : `${path} ${name}=${value}`
        const button = `button${name === undefined ? '' : `[name="${name}"][value="${value}"]`}`
        const selector = outside.includes(tag) ? `${button}[form="${id}"]` : `${form} ${button}`
        if (!found.has(key)) found.set(key, { key, page, form, button: selector })
      }
    }
  }
  return [...found.values()]
}

function buttonsIn(html: string): string[] {
  return [...html.matchAll(/<button[^>]*>/g)].map(([tag]) => tag).filter((tag) => !tag.includes('type="button"'))
}

/** Fills in what a form requires and does not have yet, and chooses the first row of a list. */
export async function fill(form: Locator, values: Readonly<Record<string, string>>): Promise<void> {
  for (const input of await form.locator('input[required], textarea[required]').all()) {
    if ((await input.inputValue()) === '') await input.fill(values[(await input.getAttribute('name')) ?? ''] ?? 'test')
  }
  const isList = await form.evaluate((element) => element.classList.contains('picks'))
  if (isList) await form.locator('tbody input[type=checkbox]').first().check()
}

/** Sends the form of a button, and returns the status of the answer and of the page that it leads to. */
export async function submit(page: Page, button: Locator): Promise<{ sent: number; shown: number }> {
  const statuses: number[] = []
  page.on('response', (response) => {
    if (response.request().isNavigationRequest()) statuses.push(response.status())
  })
  // It may stand in a menu that is not open.
  const menu = button.locator('xpath=ancestor::details[not(@open)]/summary').first()
  if (!(await button.isVisible()) && (await menu.count()) > 0) await menu.click()
  await button.click()
  await page.waitForLoadState('load')
  return { sent: statuses[0] ?? 0, shown: statuses.at(-1) ?? 0 }
}
