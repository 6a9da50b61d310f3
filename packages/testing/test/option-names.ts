import { ANSWER_NAMES } from '../src/lib/answer.ts'
import { DELIVER_ALL_OPTIONS } from '../src/lib/deliver-all.ts'
import { ANSWER_TO } from '../src/lib/fake-receiver.ts'
import { PUBLISHED_FILTER } from '../src/lib/published.ts'
import { TEST_ENGINE_OPTIONS } from '../src/lib/test-engine.ts'

/** The options of each function, by the name that its errors use. */
export const OPTION_NAMES = {
  createTestEngine: TEST_ENGINE_OPTIONS,
  deliverAll: DELIVER_ALL_OPTIONS,
  published: PUBLISHED_FILTER,
  'receiver.answer': ANSWER_TO,
  'an answer': ANSWER_NAMES,
}
