import { FormToken } from '../parts/form-token.tsx'
import { Head } from '../parts/head.tsx'
import type { PlainKey } from '../language/text.ts'
import type { Page } from './visit.ts'

/** The keys of assets/client.ts. */
const KEYS: readonly (readonly [key: string, what: PlainKey])[] = [
  ['/', 'keyboard.search'],
  ['j', 'keyboard.next'],
  ['k', 'keyboard.previous'],
  ['Enter', 'keyboard.open'],
  ['x', 'keyboard.choose'],
  ['r', 'keyboard.act'],
  ['?', 'keyboard.list'],
]

/** The list of the keys, and the switch that turns them off. */
export const keyboardPage: Page = {
  path: '/keys',
  section: undefined,
  show({ reader }) {
    const { text, link, preferences } = reader
    const title = text('keyboard.title')
    const main = (
      <>
        <Head title={title} reader={reader} />
        <table>
          <caption class="sr">{title}</caption>
          <tbody>
            {KEYS.map(([key, what]) => (
              <tr>
                <td>
                  <kbd class="mono">{key}</kbd>
                </td>
                <td class="fill tx">{text(what)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        <form class="sec stack" method="post" action={link('preferences')}>
          <FormToken reader={reader} />
          <input type="hidden" name="back" value={link('keys')} />
          <p class="dim">{text(preferences.keys ? 'keyboard.are_on' : 'keyboard.are_off')}</p>
          <div>
            <button class="btn" name="keys" value={preferences.keys ? 'off' : 'on'}>
              {text(preferences.keys ? 'keyboard.switch_off' : 'keyboard.switch_on')}
            </button>
          </div>
        </form>
      </>
    )
    return { title, main }
  },
}
