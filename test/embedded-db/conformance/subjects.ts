import { aggregation } from './cases/aggregation.js'
import { bsonTypes } from './cases/bson-types.js'
import { commands } from './cases/commands.js'
import { concurrency } from './cases/concurrency.js'
import { cursors } from './cases/cursors.js'
import { deletes } from './cases/deletes.js'
import { filters } from './cases/filters.js'
import { findAndModify } from './cases/find-and-modify.js'
import { indexAgreement } from './cases/index-agreement.js'
import { indexesKinds } from './cases/indexes-kinds.js'
import { indexesUnique } from './cases/indexes-unique.js'
import { nullMissingArrays } from './cases/null-missing-arrays.js'
import { pipelineUpdates } from './cases/pipeline-updates.js'
import { plans } from './cases/plans.js'
import { projections } from './cases/projections.js'
import { refusals } from './cases/refusals.js'
import { typeOrder } from './cases/type-order.js'
import { updateErrors } from './cases/update-errors.js'
import { updateOperators } from './cases/update-operators.js'
import { upserts } from './cases/upserts.js'
import type { Subject } from './conformance-case.js'

/** Every case of the suite. */
export const subjects: Subject[] = [
  filters,
  nullMissingArrays,
  typeOrder,
  projections,
  updateOperators,
  updateErrors,
  upserts,
  findAndModify,
  deletes,
  bsonTypes,
  pipelineUpdates,
  aggregation,
  cursors,
  indexesUnique,
  indexesKinds,
  refusals,
  commands,
  concurrency,
  indexAgreement,
  plans,
]
