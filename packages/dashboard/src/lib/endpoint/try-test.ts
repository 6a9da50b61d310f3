import { type Engine, EngineError, type EventType, type TestAttempt } from '@keepsend/engine'

/** A test event as it was typed. */
export interface TypedTest {
  type: string
  data: string
}

/** The result: the attempt, or why none was made. */
export type TestResult = { attempt: TestAttempt } | { problem: 'json' | 'object' | EngineError; said: string }

/** Sends a test event to an endpoint and waits for its answer. @throws {EngineError} `not_found` */
export async function tryTest(
  engine: Engine,
  { workspaceId, id }: { workspaceId: string; id: string },
  { type, data: typed, by }: TypedTest & { by: string },
): Promise<TestResult> {
  // Before the data is looked at: what belongs to others is not there, whatever is sent to it.
  await engine.endpoints.get(workspaceId, id)
  let data: unknown
  try {
    data = JSON.parse(typed)
  } catch (error) {
    return { problem: 'json', said: error instanceof Error ? error.message : String(error) }
  }
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return { problem: 'object', said: '' }
  try {
    return { attempt: await engine.sendTest(workspaceId, id, { type, data, by }) }
  } catch (error) {
    if (!(error instanceof EngineError) || error.code === 'not_found') throw error
    return { problem: error, said: error.message }
  }
}

/** The example of a type, in the version that an endpoint gets. */
export function exampleFor(type: EventType | undefined, eventVersion: string | null): string {
  const version = type?.versions.find(({ labels }) => eventVersion !== null && labels.includes(eventVersion))
  return JSON.stringify((version ?? type)?.example ?? { hello: 'world' }, null, 2)
}
