import type { Endpoint, Engine } from '@keepsend/engine'
import { EventPicker } from '../../endpoint/event-picker.tsx'
import { UrlField } from '../../endpoint/url-field.tsx'
import { FormToken } from '../../parts/form-token.tsx'
import { Head } from '../../parts/head.tsx'
import { Refusal } from '../../parts/refusal.tsx'
import type { Reader } from '../../reader/reader.ts'
import { isRefusal } from '../../site/refusals.ts'
import type { Action, Page, Shown } from '../../site/visit.ts'
import { AdvancedFields } from './advanced-fields.tsx'
import { type Typed, NOTHING_TYPED, inputOf, typedIn, typedOf } from './endpoint-input.ts'
import { findEndpoint } from './find-endpoint.ts'

export const endpointNewPage: Page = {
  path: '/endpoints/new',
  section: 'endpoints',
  show({ engine, reader, query }) {
    const version = engine.catalog?.versions.at(-1) ?? ''
    return form({ typed: { ...NOTHING_TYPED, workspace: query('workspace') ?? '', version }, engine, reader })
  },
}

export const endpointEditPage: Page = {
  path: '/endpoints/:workspace/:id/edit',
  section: 'endpoints',
  async show(visit) {
    const { endpoint } = await findEndpoint(visit)
    return form({ typed: typedOf(endpoint), engine: visit.engine, endpoint, reader: visit.reader })
  },
}

export const ENDPOINT_FORM_ACTIONS: readonly Action[] = [
  {
    path: '/endpoints/new',
    section: 'endpoints',
    async act(sent) {
      const { engine, reader, by } = sent
      const typed = typedIn(sent)
      try {
        const { endpoint } = await engine.endpoints.create(typed.workspace, inputOf(typed), { by })
        return reader.link('endpoints', endpoint.workspaceId, endpoint.id)
      } catch (error) {
        return refused(error, { typed, engine, reader })
      }
    },
  },
  {
    path: '/endpoints/:workspace/:id/edit',
    section: 'endpoints',
    async act(sent) {
      const { engine, reader, by } = sent
      const { workspaceId, endpoint } = await findEndpoint(sent)
      const typed = { ...typedIn(sent), workspace: workspaceId }
      try {
        const version = Number(sent.field('revision'))
        await engine.endpoints.update(workspaceId, endpoint.id, inputOf(typed), { by, ifVersion: version })
        return reader.link('endpoints', workspaceId, endpoint.id)
      } catch (error) {
        return refused(error, { typed, engine, endpoint, reader })
      }
    },
  },
]

interface FormParts {
  typed: Typed
  engine: Engine
  /** The endpoint that is changed; undefined: a new one. */
  endpoint?: Endpoint
  /** Why the form was refused. */
  problem?: string
  reader: Reader
}

/** Shows the form again with what was typed; an error that is not about it goes on. */
function refused(error: unknown, parts: FormParts): Shown {
  if (!isRefusal(error) || error.code === 'not_found') throw error
  return { ...form({ ...parts, problem: error.message }), status: error.code === 'conflict' ? 409 : 400 }
}

function form({ typed, engine, endpoint, problem, reader }: FormParts): Shown {
  const { text, link } = reader
  const title = text(endpoint ? 'endpoint.edit_title' : 'endpoints.add_title')
  const back = endpoint ? link('endpoints', endpoint.workspaceId, endpoint.id) : link('endpoints')
  const main = (
    <>
      <Head title={title} crumbs={<a href={link('endpoints')}>{text('nav.endpoints')}</a>} reader={reader} />
      {problem === undefined ? null : <Refusal problem={problem} reader={reader} />}
      <div class="sec noline">
        <form
          class="stack form"
          method="post"
          action={endpoint ? link('endpoints', endpoint.workspaceId, endpoint.id, 'edit') : link('endpoints', 'new')}
        >
          <FormToken reader={reader} />
          {endpoint ? <input type="hidden" name="revision" value={endpoint.version} /> : null}
          {endpoint ? null : (
            <div class="field">
              <label for="workspace">{text('fact.workspace')}</label>
              <input id="workspace" name="workspace" required maxlength={255} value={typed.workspace} />
            </div>
          )}
          <UrlField engine={engine} value={typed.url} reader={reader} />
          <div class="field">
            <label for="description">
              {text('fact.description')} <span class="opt">{text('form.optional')}</span>
            </label>
            <input id="description" name="description" maxlength={500} value={typed.description} />
          </div>
          <EventPicker typed={typed} types={engine.eventTypes()} othersToo reader={reader} />
          <AdvancedFields
            typed={typed}
            versions={engine.catalog?.versions ?? []}
            headerNames={endpoint?.headerNames ?? []}
            isOpen={problem !== undefined}
            reader={reader}
          />
          <div class="row">
            <button class="btn primary" type="submit">
              {text(endpoint ? 'form.save' : 'endpoints.add')}
            </button>
            <a class="btn" href={back}>
              {text('form.cancel')}
            </a>
          </div>
        </form>
      </div>
    </>
  )
  return { title, main }
}
