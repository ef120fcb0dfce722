;; Guile's (system foreign): calls, structs by value, callbacks. Which libffi it ran on goes to stderr.

(use-modules (system foreign) (rnrs bytevectors) (ice-9 rdelim) (srfi srfi-1))

(define (show . things)
  (for-each (lambda (thing) (write thing) (display " ")) things)
  (newline))

(define (c-function result name . arguments)
  (pointer->procedure result (dynamic-func name (dynamic-link)) arguments))

(define libm (dynamic-link "libm.so.6"))
(define (math-function result name . arguments)
  (pointer->procedure result (dynamic-func name libm) arguments))

(show ((c-function int "abs" int) -42)
      ((c-function long "labs" long) (- (expt 2 62)))
      ((c-function size_t "strlen" '*) (string->pointer "four")))
(show ((math-function double "pow" double double) 2.0 0.5)
      ((math-function float "powf" float float) 2.0 10.0)
      ((math-function double "ldexp" double int) 0.75 4))

;; A struct that comes back by value: div_t.
(show (parse-c-struct ((c-function (list int int) "div" int int) -17 5) (list int int)))
(show (parse-c-struct ((c-function (list long long) "ldiv" long long) -17 5) (list long long)))

;; A callback: the order of qsort.
(define numbers (list 5 -3 2147483647 0 -2147483648 7 7))
(define memory (make-bytevector (* 4 (length numbers))))
(for-each (lambda (number index) (bytevector-s32-native-set! memory (* 4 index) number))
          numbers (iota (length numbers)))
(define (number-at pointer) (bytevector-s32-native-ref (pointer->bytevector pointer 4) 0))
(define compare
  (procedure->pointer int
                      (lambda (left right)
                        (let ((a (number-at left)) (b (number-at right)))
                          (cond ((< a b) -1) ((> a b) 1) (else 0))))
                      (list '* '*)))
((c-function void "qsort" '* size_t size_t '*) (bytevector->pointer memory) (length numbers) 4 compare)
(show (map (lambda (index) (bytevector-s32-native-ref memory (* 4 index))) (iota (length numbers))))

;; Callbacks of other types, called through Guile itself; many of them.
(define mixed (list int8 double float int64 uint16))
(define seen #f)
(define entry
  (procedure->pointer double (lambda values (set! seen values) (apply + values)) mixed))
(show ((pointer->procedure double entry mixed) -100 2.5 0.25 (expt 2 40) 65535) seen)
(define many
  (map (lambda (n) (procedure->pointer int (lambda (x) (+ x n)) (list int))) (iota 1000)))
(show (every (lambda (pointer n) (= ((pointer->procedure int pointer (list int)) 3) (+ n 3)))
             many (iota 1000)))

(define (libraries)
  (call-with-input-file "/proc/self/maps"
    (lambda (port)
      (let loop ((line (read-line port)) (found '()))
        (cond ((eof-object? line) (delete-duplicates found))
              ((string-contains line "libffi")
               (loop (read-line port) (cons (last (string-split line #\space)) found)))
              (else (loop (read-line port) found)))))))
(display (string-append "libffi: " (string-join (libraries))) (current-error-port))
(newline (current-error-port))
