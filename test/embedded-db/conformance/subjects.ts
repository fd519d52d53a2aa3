import { filters } from './cases/filters.js'
import { nullMissingArrays } from './cases/null-missing-arrays.js'
import { projections } from './cases/projections.js'
import { typeOrder } from './cases/type-order.js'
import type { Subject } from './conformance-case.js'

/** Every case of the suite. */
export const subjects: Subject[] = [filters, nullMissingArrays, typeOrder, projections]
