import axe from 'axe-core'
import type { Page } from 'playwright-core'

/** WCAG 2.2, levels A and AA, and the practices that axe checks besides. */
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

/** What depends on the theme. */
const COLOURS = ['color-contrast', 'link-in-text-block']

/**
 * What axe-core finds wrong with a page, one line for each element.
 *
 * @param part `colours`: only what depends on the theme
 */
export async function violationsOf(page: Page, part: 'all' | 'colours' = 'all'): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe.source)
  const { violations } = await page.evaluate(
    // In the page `axe` is the global that its source defines.
    (runOnly) => (globalThis as unknown as { axe: typeof axe }).axe.run({ runOnly, resultTypes: ['violations'] }),
    part === 'all' ? ({ type: 'tag', values: RULES } as const) : ({ type: 'rule', values: COLOURS } as const),
  )
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target }) => `${id}: ${help}, at ${target.join(' ')}`),
  )
}
