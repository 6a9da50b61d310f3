import { Head } from '../parts/head.tsx'
import { FormToken } from '../parts/form-token.tsx'
import { isWithin } from '../reader/preferences.ts'
import type { Page } from './visit.ts'

const ZONES = ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')]

/** Language, time zone and keys of this browser, and a list of the keys. */
export const preferencesPage: Page = {
  path: '/preferences',
  section: undefined,
  show({ reader, query }) {
    const { text, link, language, languages, preferences } = reader
    const back = query('back')
    const zones = [...new Set([preferences.zone, ...ZONES])]
    const title = text('nav.preferences')
    const main = (
      <>
        <Head title={title} reader={reader} />
        <form class="sec stack form" method="post" action={link('preferences')}>
          <FormToken reader={reader} />
          <input type="hidden" name="back" value={back !== undefined && isWithin(back, link()) ? back : link()} />
          <div class="field">
            <label for="language">{text('preferences.language')}</label>
            <select id="language" name="language">
              {languages.map((tag) => (
                <option value={tag} selected={tag === language} lang={tag}>
                  {new Intl.DisplayNames(tag, { type: 'language' }).of(tag) ?? tag}
                </option>
              ))}
            </select>
          </div>
          <div class="field">
            <label for="zone">{text('preferences.zone')}</label>
            <select id="zone" name="zone">
              {zones.map((zone) => (
                <option value={zone} selected={zone === preferences.zone}>
                  {zone}
                </option>
              ))}
            </select>
          </div>
          <div class="field">
            <label for="keys">{text('preferences.keys')}</label>
            <select id="keys" name="keys">
              <option value="on" selected={preferences.keys}>
                {text('preferences.keys_on')}
              </option>
              <option value="off" selected={!preferences.keys}>
                {text('preferences.keys_off')}
              </option>
            </select>
            <p class="help">
              <a href={link('keys')}>{text('keyboard.title')}</a>
            </p>
          </div>
          <div>
            <button class="btn primary">{text('preferences.save')}</button>
          </div>
        </form>
      </>
    )
    return { title, main }
  },
}
